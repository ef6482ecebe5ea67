package main

import (
	"fmt"
	"math"
)

// Rows of the table of constants, in this order.
const (
	rowClip = iota
	rowOne
	rowHalf
	rowAsin // the first of 13 coefficients, lowest power first
)

// constants returns the values of kernel/arccos.go, row by row. A test of
// package kernel compares all versions bit for bit.
func constants() []string {
	values := []float64{
		1.0001, 1, 0.5,
		0x1.5555555555556p-3,
		0x1.3333333332ecap-4,
		0x1.6db6db6e31f13p-5,
		0x1.f1c71c1db0623p-6,
		0x1.6e8bb1c8209a2p-6,
		0x1.1c4d35cf95421p-6,
		0x1.c9cf07674736ap-7,
		0x1.782651caa6546p-7,
		0x1.52420b04b37c6p-7,
		0x1.65a9c4dfcf86ep-8,
		0x1.1d1894083151ep-6,
		-0x1.e6aaa8a0a0563p-7,
		0x1.d72b2bc81562cp-6,
	}
	bits := make([]string, len(values))
	for i, v := range values {
		bits[i] = fmt.Sprintf("0x%016x", math.Float64bits(v))
	}
	return bits
}

// Byte offsets of the fields of kernel.angle, which AX points to.
const (
	angleMinus = "0(AX)"
	angleTwice = "8(AX)"
	angleHigh  = "16(AX)"
	angleLow   = "24(AX)"
)
