package page

import "unsafe"

// word is the word at offset, which the layout aligns. An offset outside panics.
func (p *Page) word(offset int) *uint64 {
	cell := p.mem[offset : offset+8 : offset+8]
	return (*uint64)(unsafe.Pointer(unsafe.SliceData(cell)))
}
