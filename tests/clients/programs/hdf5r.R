# What R's hdf5r makes of states files: hdf5r.R DATASET FILE.
suppressMessages(library(hdf5r))
arguments <- commandArgs(TRUE)
file <- H5File$new(arguments[2], "r")
dataset <- file[[arguments[1]]]
cell <- dataset$read()
cat("shape", dim(cell), "\n")
cat("axes", h5attr(dataset, "axes"), "\n")
cat("value", format(if (length(dim(cell)) == 3) cell[3, 2, 1] else cell[3, 2], digits = 9), "\n")
cat("lengths", as.numeric(file[["lengths"]]$read()), "\n")
cat("sums", file[["integrity/sums"]]$dims, "\n")
cat("ids ", paste(file[["ids"]]$read(), collapse = "|"), "\n", sep = "")
