"""Programs that install the project's tools and packages."""
