package ring

import (
	"fmt"
	"unsafe"

	"github.com/ndring/ndring/proto"
)

// memory is a checked region: base is aligned to a line and size bytes long.
// Offsets handed to its methods have been bounded by the caller.
type memory struct {
	bytes []byte // keeps a heap region alive
	base  unsafe.Pointer
}

func newMemory(b []byte) (memory, error) {
	base := unsafe.Pointer(unsafe.SliceData(b))
	if uintptr(base)%proto.LineBytes != 0 {
		return memory{}, fmt.Errorf("memory at %p is not aligned to %d bytes: %w", base, proto.LineBytes, ErrMemory)
	}
	return memory{bytes: b, base: base}, nil
}

// holds reports whether address lies in the region.
func (m *memory) holds(address uintptr) bool {
	return address-uintptr(m.base) < uintptr(len(m.bytes))
}

// word is the shared word at offset off, a multiple of 8 inside the region.
func (m *memory) word(off uint64) *uint64 {
	return (*uint64)(unsafe.Add(m.base, off))
}

// circle is the data region by position: what the hot paths need of a Segment, beside
// their own state. Its capacity is a power of two.
type circle struct {
	base unsafe.Pointer
	mask uint64
}

func (m *memory) circle() circle {
	return circle{base: m.base, mask: uint64(len(m.bytes)) - 1}
}

func (c *circle) capacity() uint64 { return c.mask + 1 }

// commitWord is the commit word of the frame at position.
func (c *circle) commitWord(position uint64) *uint64 {
	return (*uint64)(unsafe.Add(c.base, position&c.mask))
}

// inline is the payload of n bytes, not 0, of the inline frame at position.
func (c *circle) inline(position, n uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(c.base, position&c.mask+proto.BaseBytes)), n)
}

// toWrap is how many bytes lie between position and the next multiple of the
// capacity.
func (c *circle) toWrap(position uint64) uint64 {
	return c.capacity() - position&c.mask
}

// slice is n bytes from offset off on, capped so that append cannot reach further.
func (m *memory) slice(off, n uint64) []byte {
	if n == 0 {
		return m.bytes[:0:0] // off may be the end of the region
	}
	return unsafe.Slice((*byte)(unsafe.Add(m.base, off)), n)
}

// float64s views b, whose length is a multiple of 8 and whose start is 8-aligned.
func float64s(b []byte) []float64 {
	return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(b))), uint(len(b))>>3)
}

// frameWords stores number and description of the frame whose commit word is at
// frame. Readers look at them after the commit word only.
func frameWords(frame *uint64, number, desc uint64) {
	words := (*[3]uint64)(unsafe.Pointer(frame))
	words[1], words[2] = number, desc
}

// baseWords loads number and description of the frame whose commit word is at
// frame, after the commit word was loaded and found good.
func baseWords(frame *uint64) (number, desc uint64) {
	words := (*[3]uint64)(unsafe.Pointer(frame))
	return words[1], words[2]
}

// row is a run of payloads at equal distances, all inside one region. The caller
// bounds the index.
type row struct {
	first unsafe.Pointer
	step  uint64 // bytes
	bytes uint64 // of each payload
}

// rowOf starts with the payload first; the next ones follow every step bytes.
func rowOf(first []byte, step uint64) row {
	return row{first: unsafe.Pointer(unsafe.SliceData(first)), step: step, bytes: uint64(len(first))}
}

func (r *row) payload(i int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(r.first, uint64(i)*r.step)), r.bytes)
}

func (r *row) float64s(i int) []float64 {
	return unsafe.Slice((*float64)(unsafe.Add(r.first, uint64(i)*r.step)), r.bytes>>3)
}
