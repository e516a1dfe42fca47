"""Parts of `kakera search`: queries, files of matches, patches that agree."""
