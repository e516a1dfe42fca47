"""Parts of `kakera curate`: copies, unusual files, labels, coverage, and the table without copies."""
