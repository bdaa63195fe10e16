"""A material's maps as other tools take them: one module for what each kind of tool wants."""
