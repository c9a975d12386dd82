"""Documentation: the Markdown files of the project as pages, served here or written to a folder."""
