package main

import "C"

import "unsafe"

// first returns the address of the first element, as C takes it. C keeps none.
func first(s []float64) *C.double { return (*C.double)(unsafe.Pointer(&s[0])) }
