"""Sessions for whoever reads them: what was asked and answered, in words and in numbers."""
