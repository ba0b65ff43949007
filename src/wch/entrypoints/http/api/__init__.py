"""The HTTP API: what programs may ask of the hub under `/api/v1`, key in hand."""
