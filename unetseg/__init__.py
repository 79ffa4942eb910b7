"""Train U-Nets, write masks, and measure what each skip connection is worth."""
