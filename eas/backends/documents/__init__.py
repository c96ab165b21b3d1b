"""Documents for devices: folders of this machine as file shares (`shares`), and WebDAV servers (`webdav`)."""
