# What R's rhdf5 makes of states files: rhdf5.R DATASET FILE.
suppressMessages(library(rhdf5))
arguments <- commandArgs(TRUE)
file <- arguments[2]
name <- arguments[1]
cell <- h5read(file, name)
cat("shape", dim(cell), "\n")
cat("axes", h5readAttributes(file, name)$axes, "\n")
cat("value", format(if (length(dim(cell)) == 3) cell[3, 2, 1] else cell[3, 2], digits = 9), "\n")
cat("lengths", h5read(file, "lengths"), "\n")
cat("sums", dim(h5read(file, "integrity/sums", bit64conversion = "double")), "\n")
cat("ids ", paste(h5read(file, "ids"), collapse = "|"), "\n", sep = "")
