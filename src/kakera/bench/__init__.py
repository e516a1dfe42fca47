"""`kakera bench`: measure the speed of kakera on this machine, compared with other installed libraries."""
