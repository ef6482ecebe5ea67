package ipc

import (
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkFirstTouch is what the first store to a page of shared memory costs that
// fallocate reserved: a fault, unless the page was populated at attaching, as it is
// in every ring.
func BenchmarkFirstTouch(b *testing.B) {
	const size = 64 << 20
	page := unix.Getpagesize()
	for _, populated := range []bool{false, true} {
		b.Run("populated="+strconv.FormatBool(populated), func(b *testing.B) {
			fd, err := unix.MemfdCreate("touch", unix.MFD_CLOEXEC)
			if err != nil {
				b.Fatal(err)
			}
			defer unix.Close(fd)
			if err := unix.Fallocate(fd, 0, 0, size); err != nil {
				b.Fatal(err)
			}
			for range b.N {
				b.StopTimer()
				mem, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
				if err != nil {
					b.Fatal(err)
				}
				if populated {
					if err := unix.Madvise(mem, unix.MADV_POPULATE_WRITE); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
				for at := 0; at < size; at += page {
					mem[at] = 1
				}
				b.StopTimer()
				if err := unix.Munmap(mem); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*(size/page)), "ns/page")
		})
	}
}
