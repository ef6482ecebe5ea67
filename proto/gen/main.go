package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := flag.String("proto", "proto", "folder of package proto")
	flag.Parse()
	if err := generate(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// outputs are the generated files, relative to the folder of package proto.
func outputs(dir string) (map[string][]byte, error) {
	files, err := readConstants(dir)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		filepath.Join("c", "ndring_layout.h"):           cHeader(files),
		filepath.Join("python", "ndring", "_layout.py"): pythonModule(files),
	}, nil
}

// generate writes every output below dir.
func generate(dir string) error {
	all, err := outputs(dir)
	if err != nil {
		return err
	}
	for name, text := range all {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write constants: %w", err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return fmt.Errorf("write constants: %w", err)
		}
	}
	return nil
}
