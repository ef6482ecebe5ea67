//go:build linux

package conformance

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/ndring/ndring/cmd/ndring/command"
	"github.com/ndring/ndring/ipc"
)

// cells is how many cells of a matrix run at once for each processor: most of a cell is
// waiting for programs to start and for each other.
const cells = 2

// roleMark is the first argument of a re-executed test binary that plays a role.
const roleMark = "-conformance-role"

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == roleMark {
		os.Exit(playRole(os.Args[2], os.Args[3:]))
	}
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(cells*runtime.NumCPU())); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if compiled.dir != "" {
		if err := os.RemoveAll(compiled.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

func playRole(role string, arguments []string) int {
	if role == "ndring" {
		return command.Main(append([]string{role}, arguments...), os.Stdin, os.Stdout, os.Stderr)
	}
	play := map[string]func(options) error{"producer": produce, "consumer": consume}[role]
	o, err := parseOptions(arguments)
	if err == nil {
		err = play(o)
	}
	if errors.Is(err, ipc.ErrDenied) {
		err = fmt.Errorf("ErrDenied: %w", err)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		return 1
	}
	return 0
}
