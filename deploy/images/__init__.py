"""Images that Pileus builds itself."""
