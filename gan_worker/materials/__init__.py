"""What a material is, on disk and in memory.

`maps` is the table of map types: whatever tells maps apart looks it up there. `pictures` reads images of any kind by
their header first, `sets` recognizes the maps of a material by their file names, `files` writes them, `png` and
`pixels` encode them, `metadata` says in each file that it was generated, by what and from whose pictures. `sequences`
are maps that move, `masks` and `poisson_blending` serve repair.
"""
