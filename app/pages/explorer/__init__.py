"""The explorer: any resource of any API that is served, as a table and one by one."""
