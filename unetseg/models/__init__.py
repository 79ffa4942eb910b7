"""U-Nets whose connections can be switched on and off."""
