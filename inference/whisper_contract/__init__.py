"""What the operator and the server must agree on: environment names, ports, paths and metric names."""
