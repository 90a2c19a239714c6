"""Earlier releases: their SQL, a database that one filled, and their code."""
