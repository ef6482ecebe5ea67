//go:build linux

package conformance

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
)

// deadline ends a run that hangs; no run asserts how long it takes.
const deadline = 60 * time.Second

// sorts are the arrays of the matrix. Each run laps its ring several times.
func sorts() map[string][]string {
	small := []string{"--capacity", "65536"}
	return map[string][]string{
		"1-D":     append(small, "--until", "3000", "--dtype", "f64", "--shape", "5"),
		"4-D":     append(small, "--until", "1000", "--dtype", "f32", "--shape", "2x3x4x5"),
		"zero":    append(small, "--until", "2000", "--dtype", "c64", "--shape", "3x0x2"),
		"strided": append(small, "--until", "1000", "--dtype", "i16", "--shape", "7x6", "--order", "f"),
		"scalar":  append(small, "--until", "2000", "--dtype", "c128", "--shape", "scalar"),
		"largest": {"--capacity", "262144", "--until", "40", "--dtype", "u8", "--shape", "65536"},
	}
}

// privateDir is a ring directory that a test leaves empty, unless it is skipped for
// lack of a tool when others have begun.
func privateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ndring-conformance-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		left, err := os.ReadDir(dir)
		if !t.Skipped() && (err != nil || len(left) > 0) {
			t.Errorf("left in the ring directory: %v, %v", left, err)
		}
		os.RemoveAll(dir)
	})
	return dir
}

// process is a producer or consumer that runs.
type process struct {
	cmd      *exec.Cmd
	out, err bytes.Buffer
	done     chan struct{}
}

func start(t *testing.T, front []string, more ...string) *process {
	t.Helper()
	return startAs(t, nil, front, more...)
}

// startAs is start with what the system is to make of the process.
func startAs(t *testing.T, who *syscall.SysProcAttr, front []string, more ...string) *process {
	t.Helper()
	p := &process{done: make(chan struct{})}
	p.cmd = exec.Command(front[0], append(front[1:len(front):len(front)], more...)...)
	p.cmd.SysProcAttr = who
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the process state tells
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it has ended, unless the test failed
		<-p.done
	})
	return p
}

// await waits for the process and returns its output's first line.
func (p *process) await(t *testing.T) string {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(deadline):
		t.Fatalf("%v still runs after %v\n%s%s", p.cmd.Args, deadline, &p.out, &p.err)
	}
	line, _, _ := strings.Cut(p.out.String(), "\n")
	return line
}

// succeed waits for the process to end well.
func (p *process) succeed(t *testing.T) string {
	t.Helper()
	line := p.await(t)
	if !p.cmd.ProcessState.Success() {
		t.Errorf("%v: %v\n%s%s", p.cmd.Args, p.cmd.ProcessState, &p.out, &p.err)
	}
	return line
}

// expected is the line of a consumer that read a whole run from its first frame on.
func expected(t *testing.T, arguments []string) string {
	t.Helper()
	o, err := parseOptions(append([]string{"x"}, arguments...))
	if err != nil {
		t.Fatal(err)
	}
	h, err := o.header()
	if err == nil {
		err = h.Complete()
	}
	if err != nil {
		t.Fatal(err)
	}
	sum := tally{frames: o.until, last: h, bytes: o.until * h.PayloadLen}
	payload := make([]byte, h.PayloadLen)
	for n := range o.until {
		pattern(payload, n)
		sum.checksum = sum.checksum*31 + uint64(crc32.ChecksumIEEE(payload))
	}
	return sum.line() + " rescues=0"
}

// eachPair runs f as a subtest for every producer and every consumer.
func eachPair(t *testing.T, f func(t *testing.T, producer, consumer language)) {
	for _, p := range languages() {
		for _, c := range languages() {
			t.Run(p.name+" to "+c.name, func(t *testing.T) {
				t.Parallel()
				f(t, p, c)
			})
		}
	}
}

// Check that every language reads what every other one writes, in both wake modes and
// for every sort of array: all frames, in order, with shape and strides.
func TestMatrix(t *testing.T) {
	eachPair(t, func(t *testing.T, producer, consumer language) {
		for sort, arguments := range sorts() {
			want := expected(t, arguments)
			for _, wake := range consumer.wakes {
				t.Run(fmt.Sprintf("%s %s", sort, wake), func(t *testing.T) {
					t.Parallel()
					dir := privateDir(t)
					r := start(t, consumer.consumer(t), "m", "--dir", dir, "--wake", wake)
					w := start(t, producer.producer(t), append([]string{"m", "--dir", dir}, arguments...)...)
					w.succeed(t)
					if got := r.succeed(t); producer.asCounted(got) != producer.asCounted(want) {
						t.Errorf("consumer read\n%s, want\n%s", got, want)
					}
				})
			}
		}
	})
}

// Check that a C consumer that polls the reader's descriptor, instead of waiting inside the
// reader, gets the same.
func TestPolledDescriptor(t *testing.T) {
	consumer := cExample("consumer")
	arguments := sorts()["1-D"]
	for _, producer := range languages() {
		for _, wake := range []string{"park", "stream"} {
			t.Run(producer.name+" "+wake, func(t *testing.T) {
				t.Parallel()
				dir := privateDir(t)
				r := start(t, consumer(t), "m", "--dir", dir, "--wake", wake, "--poll", "1")
				w := start(t, producer.producer(t), append([]string{"m", "--dir", dir, "--pause-ms", "0"}, arguments...)...)
				w.succeed(t)
				if got, want := r.succeed(t), expected(t, arguments); producer.asCounted(got) != producer.asCounted(want) {
					t.Errorf("consumer read\n%s, want\n%s", got, want)
				}
			})
		}
	}
}

// Check that the dtype codes of the matrix are dtypes: a typing error in it would
// otherwise show as a failure of every language.
func TestSortsAreArrays(t *testing.T) {
	for sort, arguments := range sorts() {
		o, err := parseOptions(append([]string{"x"}, arguments...))
		if err != nil {
			t.Fatal(sort, err)
		}
		if _, err := proto.ParseDType(o.dtype); err != nil {
			t.Error(sort, err)
		}
	}
}
