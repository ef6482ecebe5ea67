package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ndring/ndring/kernel"
)

// Host is the machine as a run uses it.
type Host struct {
	// Program and Args start a process that calls Serve.
	Program string
	Args    []string

	// CPUs may be used, the ones for a pair of sides first. Empty means that
	// nothing is pinned.
	CPUs []int

	// Dir holds the shared files, which have no name in it: a directory on
	// tmpfs, the file system rings lie on.
	Dir string

	usedByJobs time.Duration // CPU time of all sides so far
}

// NewHost looks at the machine: the sides are this very program started with
// args, pinned to the CPUs this process may run on when there are at least
// two, and share files in /dev/shm.
func NewHost(args ...string) (*Host, error) {
	cpus, err := usableCPUs()
	if err != nil {
		return nil, err
	}
	if len(cpus) < 2 {
		cpus = nil
	}
	return &Host{Program: "/proc/self/exe", Args: args, CPUs: distinctCoresFirst(cpus), Dir: "/dev/shm"}, nil
}

// Placement says how the two sides of a pair lie on the CPUs.
type Placement int

const (
	// Apart puts each side on a CPU of its own.
	Apart Placement = iota
	// Together puts both sides on one CPU.
	Together
)

// String is the end of a measurement's name.
func (p Placement) String() string {
	if p == Together {
		return "one_cpu"
	}
	return "two_cpus"
}

// Pair seats two sides playing role. Apart without two CPUs to pin to is an
// error wrapping ErrSkipped; Together without pinning leaves both where the
// kernel puts them only if there is no second CPU.
func (h *Host) Pair(role string, placement Placement) ([]Seat, error) {
	if placement == Together {
		cpu := Unpinned
		if len(h.CPUs) > 0 {
			cpu = h.CPUs[0]
		}
		return []Seat{{role, cpu}, {role, cpu}}, nil
	}
	if len(h.CPUs) < 2 {
		return nil, fmt.Errorf("%w: two sides that spin need two CPUs to be pinned to, and this process may run on one", ErrSkipped)
	}
	return []Seat{{role, h.CPUs[0]}, {role, h.CPUs[1]}}, nil
}

// alone seats one side, on the second of the CPUs: the first one serves most
// interrupts.
func (h *Host) alone(role string) []Seat {
	return []Seat{{role, h.cpu(1)}}
}

// cpu is the CPU of seat i when the seats take turns, or Unpinned.
func (h *Host) cpu(i int) int {
	if len(h.CPUs) == 0 {
		return Unpinned
	}
	return h.CPUs[i%len(h.CPUs)]
}

// distinctCoresFirst moves a CPU of another core to the second place: two
// threads of one core share its first-level cache, and a line does not travel
// between them.
func distinctCoresFirst(cpus []int) []int {
	if len(cpus) < 3 {
		return cpus
	}
	siblings := siblingsOf(cpus[0])
	other := slices.IndexFunc(cpus, func(cpu int) bool { return !slices.Contains(siblings, cpu) })
	if other > 1 {
		cpus = slices.Insert(slices.Delete(slices.Clone(cpus), other, other+1), 1, cpus[other])
	}
	return cpus
}

// siblingsOf are the CPUs of the same core, cpu among them; only cpu itself
// when the kernel does not tell.
func siblingsOf(cpu int) []int {
	path := filepath.Join("/sys/devices/system/cpu", "cpu"+strconv.Itoa(cpu), "topology/thread_siblings_list")
	text, err := os.ReadFile(path)
	if err != nil {
		return []int{cpu}
	}
	return append(parseCPUList(string(text)), cpu)
}

// parseCPUList reads the kernel's form "0,4-6" and leaves out what it cannot
// read.
func parseCPUList(text string) []int {
	var cpus []int
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		first, last, isRange := strings.Cut(part, "-")
		low, err := strconv.Atoi(first)
		if err != nil {
			continue
		}
		high := low
		if isRange {
			if high, err = strconv.Atoi(last); err != nil {
				continue
			}
		}
		for cpu := low; cpu <= high; cpu++ {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

// Machine is what a reader of the figures needs to know of where they came
// from.
type Machine struct {
	CPU    string `json:"cpu"`
	CPUs   int    `json:"cpus"`
	Pinned []int  `json:"pinned"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Arch   string `json:"arch"`
	Vector string `json:"vector"` // instructions the kernels use

	// Load is the load average over a minute, before the run and after it.
	Load [2]float64 `json:"load"`
}

// Machine describes the host; what the kernel does not tell stays empty.
func (h *Host) Machine() Machine {
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return Machine{
		CPU:    cpuModel(),
		CPUs:   runtime.NumCPU(),
		Pinned: listed(h.CPUs),
		Kernel: string(bytes.TrimSpace(release)),
		Go:     runtime.Version(),
		Arch:   runtime.GOARCH,
		Vector: kernel.Level(),
	}
}

// cpuModel is the first model name of /proc/cpuinfo.
func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
