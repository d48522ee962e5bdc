"""Ground floor: what every stage needs and none owns. Imports nothing from skxmr."""
