"""Two answers, or two whole sessions, compared as elements, with rules on what may differ; and reports of it."""
