package ringtest

import (
	"unsafe"

	"github.com/ndring/ndring/proto"
)

// Memory is n bytes on the heap that begin at a line, as a ring's must.
func Memory(n uint64) []byte {
	b := make([]byte, n+proto.LineBytes)
	off := uint64(-uintptr(unsafe.Pointer(&b[0])) % proto.LineBytes)
	return b[off : off+n : off+n]
}
