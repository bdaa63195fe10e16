"""What a material is, on disk and in memory.

`maps` is the table of map types: whatever tells maps apart looks it up there. `pictures` reads images of any kind by
their header first. `sets` finds the maps of a material by what their `file_names` say, by what lies beside them
(`grouping`) and by what they hold (`content`), and `reading` takes their files apart. `files` writes them, `png` and
`pixels` encode them, `metadata` says in each file that it was generated, by what and from whose pictures. `sequences`
are maps that move, `masks` serve repair, and `heif` opens what phones make.
"""
