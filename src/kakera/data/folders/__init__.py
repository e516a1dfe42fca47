"""What lies in folders: their files in order, which are pictures or recordings, which are left."""
