package page

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Create makes the page of the actor called name, and the file to hand to it.
func Create(name string) (*Page, *os.File, error) {
	fd, err := unix.MemfdCreate("torture "+name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, nil, fmt.Errorf("create page of %s: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err := f.Truncate(pageBytes); err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("create page of %s: %w", name, err)
	}
	p, err := Open(f)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return p, f, nil
}

// Open maps the page in f.
func Open(f *os.File) (*Page, error) {
	mem, err := unix.Mmap(int(f.Fd()), 0, pageBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map page %q: %w", f.Name(), err)
	}
	return &Page{mem: mem}, nil
}

// Close unmaps the page.
func (p *Page) Close() error { return unix.Munmap(p.mem) }

// Now is the time that all processes of the machine share, in nanoseconds.
func Now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0 // never: the clock exists and ts is ours
	}
	return ts.Nano()
}
