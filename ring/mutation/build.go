package mutation

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build makes a program with the change in it, in the folder scratch, by a go command
// such as "build" or "test", "-c" that is run in the folder of the package.
func (m Mutant) Build(folder, scratch string, command ...string) (program string, err error) {
	text, err := m.Apply()
	if err != nil {
		return "", err
	}
	original, err := filepath.Abs(m.File)
	if err != nil {
		return "", err
	}
	changed, overlay := filepath.Join(scratch, "changed.go"), filepath.Join(scratch, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		return "", err
	}
	program = filepath.Join(scratch, "mutant")
	build := exec.Command("go", append(command, "-overlay", overlay, "-o", program, ".")...)
	build.Dir = folder
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("mutant %q does not build: %w\n%s", m.Name, err, out)
	}
	return program, nil
}
