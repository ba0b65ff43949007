"""What answers the ports: stores, WhatsApp, shops, payments, the clock."""
