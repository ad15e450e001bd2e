"""What the compose runtime is made of: the engine, the compose command, the files on the host, the containers."""
