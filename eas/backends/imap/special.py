"""Which mailboxes are the special ones, where the server says so (RFC 6154) and where only the name does.

The names are those that mail programs give to folders which they make: Outlook, Apple Mail, Thunderbird, Roundcube,
Horde, SnappyMail and the phones, in the languages that they are sold in. A name alone decides nothing below the first
level: "Projects/Sent" is somebody's own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from enum import StrEnum

from eas.engine.model import FolderType


class Use(StrEnum):
    """What a mailbox is for. The values are the keys of `tenant.ImapServer.folders`."""

    DRAFTS = "drafts"
    SENT = "sent"
    TRASH = "trash"
    JUNK = "junk"
    ARCHIVE = "archive"


#: RFC 6154 2, in lower case.
ATTRIBUTES: Mapping[Use, str] = {
    Use.DRAFTS: "\\drafts", Use.SENT: "\\sent", Use.TRASH: "\\trash", Use.JUNK: "\\junk", Use.ARCHIVE: "\\archive",
}
#: As CREATE (USE (...)) has it.
CREATED_AS: Mapping[Use, str] = {
    Use.DRAFTS: "\\Drafts", Use.SENT: "\\Sent", Use.TRASH: "\\Trash", Use.JUNK: "\\Junk",
}
#: Those that ActiveSync has a type for. Junk and archive are folders like others there, which clients know by name.
TYPES: Mapping[Use, FolderType] = {
    Use.DRAFTS: FolderType.DRAFTS, Use.SENT: FolderType.SENT_ITEMS, Use.TRASH: FolderType.DELETED_ITEMS,
}
#: What they are called when they have to be made and the settings say nothing: as most other programs would.
DEFAULTS: Mapping[Use, str] = {Use.DRAFTS: "Drafts", Use.SENT: "Sent", Use.TRASH: "Trash"}

#: The usual names, those that say it best first: where several are there, the first one is taken.
NAMES: Mapping[Use, str] = {
    Use.DRAFTS: """
        Drafts, Draft, Draft Messages, Entwürfe, Entwurf, Brouillons, Borradores, Bozze, Rascunhos, Concepten,
        Utkast, Kladder, Udkast, Luonnokset, Szkice, Wersje robocze, Kopie robocze, Robocze, Koncepty, Rozepsané,
        Rozpísané, Piszkozatok, Ciorne, Schițe, Чернови, Черновики, Чернетки, Чарнавікі, Πρόχειρα, Taslaklar, Taslak,
        下書き, 草稿, 草稿箱, 草稿匣, 임시 보관함, 임시보관함, טיוטות, المسودات, مسودات, پیش‌نویس‌ها, Skice, Nacrti,
        Osnutki, Нацрти, Juodraščiai, Melnraksti, Mustandid, Esborranys, Zirriborroak, Drög, Bản nháp, Thư nháp,
        ฉบับร่าง, แบบร่าง, Konsep, Draf, Dréachtaí, Drafftiau""",
    Use.SENT: """
        Sent, Sent Items, Sent Messages, Sent Mail, Gesendet, Gesendete Objekte, Gesendete Elemente,
        Gesendete Nachrichten, Gesendete Mails, Envoyés, Éléments envoyés, Messages envoyés, Courrier envoyé,
        Objets envoyés, Enviados, Elementos enviados, Mensajes enviados, Correo enviado, Itens enviados, Enviadas,
        Enviado, Mensagens enviadas, Posta inviata, Inviati, Inviata, Elementi inviati, Messaggi inviati, Verzonden,
        Verzonden items, Verzonden objecten, Verzonden berichten, Skickat, Skickade, Skickade objekt,
        Skickade meddelanden, Sendt, Sendt post, Sendte, Sendte elementer, Sendte meldinger, Lähetetyt,
        Lähetetyt viestit, Wysłane, Elementy wysłane, Odeslané, Odeslaná pošta, Odoslané, Odoslaná pošta, Elküldött,
        Elküldött elemek, Elküldött üzenetek, Trimise, Elemente trimise, Mesaje trimise, Изпратени, Отправленные,
        Надіслані, Адпраўленыя, Απεσταλμένα, Gönderilmiş Öğeler, Gönderilenler, Gönderilmiş, Gönderilen, 送信済み,
        送信済みアイテム, 送信済みメール, 已发送, 已发送邮件, 已發送, 寄件備份, 已傳送郵件, 보낸 편지함, 보낸편지함,
        נשלחו, פריטים שנשלחו, דואר שנשלח, المرسل, المرسلة, العناصر المرسلة, البريد المرسل, ارسال شده, Poslano,
        Poslane stavke, Poslana pošta, Послато, Послате ставке, Išsiųsta, Išsiųsti laiškai, Nosūtītie, Saadetud,
        Saadetud kirjad, Enviats, Elements enviats, Bidalita, Bidaliak, Sendir hlutir, Đã gửi, Thư đã gửi, ส่งแล้ว,
        รายการที่ถูกส่ง, Terkirim, Item Terkirim, Anfonwyd, Seolta""",
    Use.TRASH: """
        Trash, Deleted Items, Deleted Messages, Deleted, Bin, Wastebasket, Papierkorb, Gelöschte Objekte,
        Gelöschte Elemente, Gelöschte Nachrichten, Gelöscht, Corbeille, Éléments supprimés, Messages supprimés,
        Supprimés, Papelera, Papelera de reciclaje, Elementos eliminados, Eliminados, Lixeira, Lixo, Itens eliminados,
        Itens excluídos, Cestino, Posta eliminata, Elementi eliminati, Messaggi eliminati, Prullenbak, Prullenmand,
        Verwijderde items, Verwijderd, Papperskorg, Papperskorgen, Borttaget, Borttagna objekt, Papirkurv,
        Slettet post, Slettede elementer, Slettet, Roskakori, Poistetut, Kosz, Elementy usunięte, Usunięte, Koš,
        Odstraněná pošta, Odstraněné, Kôš, Odstránené položky, Odstránené, Törölt elemek, Törölt, Kuka, Lomtár,
        Coș de gunoi, Coș, Elemente șterse, Gunoi, Кошче, Изтрити, Корзина, Удаленные, Удалённые, Кошик, Видалені,
        Сметніца, Κάδος απορριμμάτων, Κάδος, Διαγραμμένα, Çöp Kutusu, Çöp, Silinmiş Öğeler, ゴミ箱, ごみ箱,
        削除済みアイテム, 已删除, 已删除邮件, 废纸篓, 已刪除的郵件, 刪除的郵件, 垃圾桶, 휴지통, 지운 편지함, אשפה,
        פריטים שנמחקו, سلة المهملات, المهملات, العناصر المحذوفة, زباله‌دان, Smeće, Otpad, Izbrisano, Izbrisane stavke,
        Смеће, Отпад, Šiukšliadėžė, Šiukšlinė, Atkritne, Dzēstie, Prügikast, Kustutatud, Paperera, Zakarrontzia,
        Rusl, Ruslafata, Thùng rác, ถังขยะ, Tempat Sampah, Sampah, Sbwriel, Bruscar""",
    Use.JUNK: """
        Junk, Junk Email, Junk E-mail, Junk Mail, Spam, Bulk Mail, Unerwünscht, Unerwünschte Werbung, Werbung,
        Courrier indésirable, Indésirables, Pourriel, Correo no deseado, Correo basura, Lixo Eletrônico,
        Lixo eletrónico, Posta indesiderata, Indesiderata, Ongewenste e-mail, Ongewenst, Skräppost, Søppelpost,
        Uønsket mail, Uønsket e-post, Uønsket, Roskaposti, Wiadomości śmieci, Niechciane, Nevyžádaná pošta,
        Nevyžiadaná pošta, Levélszemét, Mesaje nedorite, Нежелана поща, Нежелательная почта, Спам, Небажана пошта,
        Ανεπιθύμητα, Ανεπιθύμητη αλληλογραφία, Önemsiz, Gereksiz, Gereksiz Posta, İstenmeyen, 迷惑メール, 垃圾邮件,
        垃圾郵件, 정크 메일, 스팸함, 스팸, דואר זבל, زباله, هرزنامه, البريد العشوائي, البريد غير الهام, Neželjena pošta,
        Neželena pošta, Нежељена пошта, Brukalas, Šlamštas, Mēstules, Rämpspost, Correu brossa, Zabor posta,
        Ruslpóstur, Thư rác, อีเมลขยะ, Sothach""",
    Use.ARCHIVE: """
        Archive, Archives, Archiv, Archivio, Archivo, Arquivo, Archief, Arkiv, Arkisto, Archiwum, Archív, Archívum,
        Arhivă, Arhiva, Arhiv, Архив, Архів, Αρχείο, Arşiv, アーカイブ, 存档, 归档, 封存, 보관함, Arxiu,
        Artxiboa, Arhīvs""",
}


def key(name: str) -> str:
    """Equal for names that differ in case, in how accents are composed, or in "-" and "_" for a blank."""
    # The capital of the Turkish dotted i folds to an i and a dot above it.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold().replace("\u0307", ""))
    return " ".join(folded.replace("-", " ").replace("_", " ").split())


#: Key of a name -> its use, and how well it says so (0 is best).
KNOWN: Mapping[str, tuple[Use, int]] = {
    key(name): (use, rank) for use, names in NAMES.items() for rank, name in enumerate(names.split(","))
}


def known(names: Sequence[str]) -> dict[Use, int]:
    """Use -> which one of these names (of folders of the first level) says it best, by its position."""
    best: dict[Use, tuple[int, int]] = {}
    for position, name in enumerate(names):
        found = KNOWN.get(key(name))
        if found is not None:
            use, rank = found
            best[use] = min(best.get(use, (rank, position)), (rank, position))
    return {use: position for use, (_, position) in best.items()}
