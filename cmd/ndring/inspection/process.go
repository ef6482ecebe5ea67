package inspection

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// States of processes.
const (
	processAlive   = "alive"
	processStopped = "stopped"
	processDead    = "dead"
)

// processState looks a process up in /proc. A zombie is dead.
func processState(pid uint32) string {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(int(pid)), "stat"))
	if err != nil || pid == 0 {
		return processDead
	}
	// pid (name) state …; the name may hold anything, also parentheses.
	after := b[bytes.LastIndexByte(b, ')')+1:]
	switch after = bytes.TrimSpace(after); {
	case len(after) == 0, after[0] == 'Z', after[0] == 'X':
		return processDead
	case after[0] == 'T', after[0] == 't':
		return processStopped
	}
	return processAlive
}

// executable is the path of a process's program, or "".
func executable(pid uint32) string {
	path, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(int(pid)), "exe"))
	if err != nil {
		return ""
	}
	return path
}
