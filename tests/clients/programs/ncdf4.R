# What R's ncdf4 makes of states files: ncdf4.R DATASET FILE.
suppressMessages(library(ncdf4))
arguments <- commandArgs(TRUE)
file <- nc_open(arguments[2])
name <- arguments[1]
cell <- ncvar_get(file, name)
cat("shape", dim(cell), "\n")
cat("axes", sapply(file$var[[name]]$dim, function(axis) basename(axis$name)), "\n")
cat("value", format(if (length(dim(cell)) == 3) cell[3, 2, 1] else cell[3, 2], digits = 9), "\n")
cat("lengths", format(ncvar_get(file, "lengths"), trim = TRUE), "\n")
cat("sums", file$var[["integrity/sums"]]$size, "\n")
cat("ids ", paste(ncvar_get(file, "ids"), collapse = "|"), "\n", sep = "")
