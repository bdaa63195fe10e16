"""A trained generator used on given pictures: projection and inpainting."""
