// Command gen writes the constants of the contract for other languages, from the
// source of package proto:
//
//	../c/ndring_layout.h          C11 and C++17
//	../python/ndring/_layout.py   Python
//
// It evaluates the constant declarations of the files that hold the contract, in
// their order, and takes the table of element types from the package itself. Names
// are the Go names in upper case with underscores: IdRingID becomes
// NDRING_ID_RING_ID in C and ID_RING_ID in Python.
//
// A test proves that the committed files are what this program writes.
package main

//go:generate go run . -proto ..
