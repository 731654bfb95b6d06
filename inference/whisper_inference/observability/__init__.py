"""What an operator of the server can see: metrics, logs and traces."""
