//go:build linux

package mutation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// house writes a module of one package, with a test, and a list of one block.
func house(t *testing.T, block string) (folder string, all []Mutant, err error) {
	t.Helper()
	folder = t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module house\n\ngo 1.26\n",
		"list":    block + "\n",
		"door.go": "package house\n\nfunc open() bool {\n\tn := 1\n\tn++\n\tn++\n\treturn n == 3\n}\n",
		"door_test.go": "package house\n\nimport \"testing\"\n\n" +
			"func TestDoor(t *testing.T) {\n\tif !open() {\n\t\tt.Fatal(\"shut\")\n\t}\n}\n\n" +
			"func TestWindow(t *testing.T) {}\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err = Read(filepath.Join(folder, "list"), folder, "test")
	return folder, all, err
}

// Check that a block is applied at exactly one place, whatever the indentation, and
// that one that fits never or twice is refused by name.
func TestOnePlace(t *testing.T) {
	for _, c := range []struct{ lines, want, refused string }{
		{lines: "- return n == 3\n+ return n == 4", want: "n++\nreturn n == 4\n}\n"},
		{lines: "- n++\n- return n == 3\n+ return true", want: "n++\nreturn true\n}\n"},
		{lines: "- return n == 5\n+ return true", refused: "0 places"},
		{lines: "- n++\n+ n--", refused: "2 places"},
		{lines: "- package house\n" + strings.Repeat("- n++\n", 20) + "+ n--", refused: "0 places"},
	} {
		_, all, err := house(t, "name: a door\nfile: door.go\n"+c.lines)
		if err != nil {
			t.Fatal(err)
		}
		text, err := all[0].Apply()
		text = strings.ReplaceAll(text, "\t", "")
		if c.refused == "" && (err != nil || !strings.HasSuffix(text, c.want)) {
			t.Errorf("%s: %v, became\n%s", c.lines, err, text)
		}
		if c.refused != "" && (err == nil || !strings.Contains(err.Error(), `"a door": `+c.refused)) {
			t.Errorf("%s: %v, want %s", c.lines, err, c.refused)
		}
	}
}

// Check that a list with a block that lacks something, or says something nobody asks
// for, is refused.
func TestBlocks(t *testing.T) {
	for _, block := range []string{
		"file: door.go\n- n++", "name: a\n- n++", "name: a\nfile: door.go\n+ n++",
		"name: a\nfile: door.go\n- n++\ntests: Door", "name: a\nfile: door.go\n- n++\n n++", "",
	} {
		if _, _, err := house(t, block); err == nil {
			t.Errorf("taken:\n%s", block)
		}
	}
	if _, all, err := house(t, "name: a\nfile: door.go\n- n++\ntest: Door\n\nname: b\nfile: door.go\n- n++"); err != nil ||
		len(all) != 2 || all[0].Keys["test"] != "Door" || all[1].Name != "b" {
		t.Errorf("%v, %+v", err, all)
	}
}

// Check that a mutant is noticed when a test fails, that one survives tests that pass,
// and that tests which are not there and source that does not build are neither.
func TestNoticed(t *testing.T) {
	for _, c := range []struct{ line, tests, said, refused string }{
		{line: "return false", tests: "Door", said: "TestDoor"},
		{line: "panic(n)", tests: "Door", said: "TestDoor"},
		{line: "return n > 2", tests: "Door", refused: "survives"},
		{line: "return false", tests: "Window", refused: "survives"},
		{line: "return false", tests: "Chimney", refused: "no test matches"},
		{line: "return n", tests: "Door", refused: "does not build"},
	} {
		folder, all, err := house(t, "name: a door\nfile: door.go\n- return n == 3\n+ "+c.line)
		if err != nil {
			t.Fatal(err)
		}
		said, err := all[0].Noticed(folder, c.tests)
		if c.refused == "" && (err != nil || !strings.Contains(said, c.said)) {
			t.Errorf("%s: %q, %v", c.line, said, err)
		}
		if c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%s, %s: %q, %v, want %s", c.line, c.tests, said, err, c.refused)
		}
		if errors.Is(err, ErrSurvives) != (c.refused == "survives") {
			t.Errorf("%s: %v", c.line, err)
		}
	}
}

// offspring holds open the pipe named by $1, says so in it and never ends. Read from
// the other side, the pipe ends when the last of its processes has.
const offspring = `exec 3>"$1"; mkdir "/dev/shm/ndring-mutant-$$-x"; sleep 100000 & echo $$ >&3; `

// pipe makes a named pipe and reads its first line, then tells when it ends.
func pipe(t *testing.T) (path string, first, end chan string) {
	t.Helper()
	path, first, end = filepath.Join(t.TempDir(), "pipe"), make(chan string, 1), make(chan string, 1)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(end)
		f, err := os.Open(path)
		if err != nil {
			first <- err.Error()
			return
		}
		defer f.Close()
		buf := make([]byte, 100)
		n, _ := f.Read(buf)
		first <- strings.TrimSpace(string(buf[:n]))
		for err == nil {
			_, err = f.Read(buf)
		}
	}()
	return path, first, end
}

// Check that a mutant that hangs is ended with the processes it started, that those of
// one that ends by itself are ended too, and that its folders go with it.
func TestWholeGroupEnds(t *testing.T) {
	for _, c := range []struct{ then, want string }{
		{"wait", "did not end: too late"}, {"kill -STOP $$", "did not end: too late"},
		{"echo shut; exit 3", "exit status 3"}, {"exit 0", "<nil>"},
	} {
		path, first, end := pipe(t)
		ctx, cancel := context.WithCancelCause(context.Background())
		var pid string
		go func() {
			pid = <-first
			if strings.HasPrefix(c.want, "did not end") {
				cancel(errors.New("too late"))
			}
			first <- pid
		}()
		_, err := Run(ctx, ".", "/bin/sh", "-c", offspring+c.then, "mutant", path)
		cancel(nil)
		<-end
		pid = <-first
		if fmt.Sprint(err) != c.want {
			t.Errorf("%s: %v, want %s", c.then, err, c.want)
		}
		if _, err := os.Stat("/dev/shm/ndring-mutant-" + pid + "-x"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the folder of %s: %v", c.then, pid, err)
		}
	}
}

// Check that a mutant and its processes end with the tests that run it, even if these are
// killed.
func TestEndsWithTheTests(t *testing.T) {
	if path := os.Getenv("NDRING_TEST_PIPE"); path != "" {
		_, err := Run(context.Background(), ".", "/bin/sh", "-c", offspring+"wait", "mutant", path)
		t.Fatal("goes on: ", err)
	}
	path, first, end := pipe(t)
	tests := exec.Command("/proc/self/exe", "-test.run", "^TestEndsWithTheTests$")
	tests.Env = append(os.Environ(), "NDRING_TEST_PIPE="+path)
	if err := tests.Start(); err != nil {
		t.Fatal(err)
	}
	pid := <-first
	tests.Process.Kill()
	tests.Wait()
	<-end
	if err := os.Remove("/dev/shm/ndring-mutant-" + pid + "-x"); err != nil {
		t.Error(err)
	}
}

// Check that output is kept of a program that fails, and that one that is not there is
// no failure of a mutant.
func TestOutput(t *testing.T) {
	out, err := Run(context.Background(), ".", "/bin/sh", "-c", "echo one; echo two >&2; exit 1")
	if failed := (fault{}); !errors.As(err, &failed) || string(out) != "one\ntwo\n" {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := Run(context.Background(), ".", "/nowhere/mutant"); err == nil || errors.As(err, &fault{}) {
		t.Errorf("a program that is not there: %v", err)
	}
}
