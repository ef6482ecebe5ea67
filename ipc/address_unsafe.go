package ipc

import "unsafe"

// address is where b lies. The memory is outside the Go heap and does not move.
func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// memoryAt is mapped memory outside the Go heap. The caller owns the mapping; the
// detour by a pointer to the address says that no Go object is meant.
func memoryAt(at, bytes uintptr) []byte {
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&at)), bytes)
}
