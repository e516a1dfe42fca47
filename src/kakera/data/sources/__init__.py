"""Everything a data set can be opened from: folders, tables, arrays, names, files in memory."""
