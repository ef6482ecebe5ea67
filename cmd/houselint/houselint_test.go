package main

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// fakeTree makes a tree of path → content, all of it tracked. Content may be
// as short as "package ring".
func fakeTree(t *testing.T, files map[string]string) *tree {
	t.Helper()
	fsys := fstest.MapFS{"go.mod": {Data: []byte("module example.org/m\n\ngo 1.26\n")}}
	for name, content := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	tr, err := readTree(fsys, slices.Sorted(maps.Keys(fsys)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// A ruleTest is a tree of one file, or of several, and what must be said.
type ruleTest struct {
	name  string
	files map[string]string
	want  []string // "file:line: rule", nothing else may be found
}

func (rt ruleTest) run(t *testing.T) {
	t.Helper()
	var got []string
	for _, f := range check(fakeTree(t, rt.files)) {
		head := strings.SplitN(f.String(), ": ", 3)
		if !strings.Contains(f.text, ";") {
			t.Errorf("%v: does not say what to do", f)
		}
		got = append(got, head[0]+": "+head[1])
	}
	if !slices.Equal(got, rt.want) {
		t.Errorf("found %q, want %q", got, rt.want)
	}
}

func one(name, content string) map[string]string { return map[string]string{name: content} }

func runAll(t *testing.T, tests []ruleTest) {
	t.Helper()
	for _, rt := range tests {
		t.Run(rt.name, rt.run)
	}
}

// Check that imports against the arrows are found, in tests and behind build
// tags too, and those along them are not.
func TestLayering(t *testing.T) {
	importing := func(pkg, path string) string {
		return "package " + pkg + "\n\nimport _ \"example.org/m/" + path + "\"\n"
	}
	denied := func(file, pkg, path string) ruleTest {
		return ruleTest{file + " imports " + path, one(file, importing(pkg, path)), []string{file + ":3: layering"}}
	}
	granted := func(file, pkg, path string) ruleTest {
		return ruleTest{file + " may import " + path, one(file, importing(pkg, path)), nil}
	}
	runAll(t, []ruleTest{
		denied("proto/a.go", "proto", "ring"),
		denied("proto/nd/a.go", "nd", "kernel"),
		denied("ring/a.go", "ring", "ipc"),
		denied("ring/a.go", "ring", "kernel"),
		denied("ring/a_test.go", "ring", "ipc"),
		denied("ring/a.go", "ring_test", "ipc"),
		denied("ipc/bridge/a_test.go", "bridge_test", "cmd/ndring/command"),
		granted("ipc/bridge/a_test.go", "bridge_test", "ipc/stage"),
		denied("kernel/a.go", "kernel", "ring"),
		denied("ipc/a.go", "ipc", "kernel"),
		denied("ipc/a.go", "ipc", "ipc/stage"),
		denied("ipc/stage/a.go", "stage", "ipc/bridge"),
		denied("ipc/bridge/a.go", "bridge", "ipc/stage"),
		denied("ipc/bridge/a.go", "bridge", "kernel"),
		denied("ipc/a.go", "ipc", "cmd/ndring/command"),
		granted("proto/a.go", "proto", "proto/nd"),
		granted("ring/a.go", "ring", "proto/nd"),
		granted("kernel/a.go", "kernel", "proto"),
		granted("ipc/a.go", "ipc", "ring"),
		granted("ipc/control/a.go", "control", "ipc"),
		granted("ipc/stage/a.go", "stage", "kernel"),
		granted("ipc/bridge/tls/a.go", "tls", "ipc/bridge"),
		granted("cmd/ndring/a.go", "main", "ipc/bridge"),
		granted("ring/a_test.go", "ring_test", "ring/mutation"),
		granted("ipc/a_test.go", "ipc", "ring/mutation"),
		granted("cmd/x/a_test.go", "main", "ring/mutation"),
		granted("ipc/a_test.go", "ipc_test", "ring/ringtest"),
		granted("ring/ringtest/a.go", "ringtest", "ring"),
		denied("ipc/a.go", "ipc", "ring/ringtest"),
		denied("ring/a.go", "ring", "ring/mutation"),
		denied("cmd/x/a.go", "main", "ring/mutation"),
		denied("ring/mutation/a_test.go", "mutation", "ring"),
		{"behind a tag", one("ring/a.go", "//go:build never\n\n"+importing("ring", "ipc")), []string{"ring/a.go:5: layering"}},
		{"module root", one("ring/a.go", "package ring\n\nimport _ \"example.org/m\"\n"), []string{"ring/a.go:3: layering"}},
	})
}

// Check that packages from outside reach only the layer they were granted to.
func TestDependencies(t *testing.T) {
	importing := func(pkg, path string) string { return "package " + pkg + "\n\nimport _ \"" + path + "\"\n" }
	denied := func(file, pkg, path string) ruleTest {
		return ruleTest{file + " imports " + path, one(file, importing(pkg, path)), []string{file + ":3: dependency"}}
	}
	granted := func(file, pkg, path string) ruleTest {
		return ruleTest{file + " may import " + path, one(file, importing(pkg, path)), nil}
	}
	runAll(t, []ruleTest{
		denied("proto/a.go", "proto", "golang.org/x/sys/cpu"),
		denied("proto/npy/a.go", "npy", "github.com/any/thing"),
		denied("proto/a_linux.go", "proto", "syscall"),
		denied("ring/a.go", "ring", "golang.org/x/sys/cpu"),
		denied("ring/a_linux.go", "ring", "golang.org/x/sys/unix"),
		denied("ring/a.go", "ring", "net"),
		denied("ring/a.go", "ring", "net/http"),
		denied("kernel/a_linux.go", "kernel", "golang.org/x/sys/unix"),
		denied("ipc/a.go", "ipc", "github.com/urfave/cli/v2"),
		denied("ipc/bridge/a.go", "bridge", "github.com/edsrzf/mmap-go"),
		denied("ipc/a.go", "ipc", "C"),
		granted("proto/a.go", "proto", "encoding/binary"),
		granted("proto/a_test.go", "proto", "github.com/any/thing"),
		granted("ring/a_test.go", "ring", "golang.org/x/sys/unix"),
		granted("kernel/a.go", "kernel", "golang.org/x/sys/cpu"),
		granted("ipc/a_linux.go", "ipc", "golang.org/x/sys/unix"),
		granted("ipc/a.go", "ipc", "github.com/edsrzf/mmap-go"),
		granted("cmd/ndring/a.go", "main", "github.com/urfave/cli/v2"),
	})
}

// Check that unsafe and system calls are confined to files named for them, in
// cmd as well.
func TestConfinement(t *testing.T) {
	const useUnsafe = "package p\n\nimport (\n\t\"fmt\"\n\t\"unsafe\"\n)\n"
	const useUnix = "package p\n\nimport u \"golang.org/x/sys/unix\"\n"
	const useSyscall = "package p\n\nimport \"syscall\"\n"
	runAll(t, []ruleTest{
		{"unsafe", one("ring/word.go", useUnsafe), []string{"ring/word.go:5: unsafe"}},
		{"unsafe in a linux file", one("ipc/map_linux.go", useUnsafe), []string{"ipc/map_linux.go:5: unsafe"}},
		{"unsafe, named", one("ring/word_unsafe.go", useUnsafe), nil},
		{"unsafe, test", one("ring/word_test.go", useUnsafe), nil},
		{"unix", one("ipc/map.go", useUnix), []string{"ipc/map.go:3: syscall"}},
		{"syscall in cmd", one("cmd/x/signal.go", useSyscall), []string{"cmd/x/signal.go:3: syscall"}},
		{"unix, named", one("ipc/map_linux.go", useUnix), nil},
		{"syscall, test", one("ipc/map_test.go", useSyscall), nil},
	})
}

// Check that a foreign entry at the top is named once, with its first file,
// and that the listed ones pass.
func TestLayout(t *testing.T) {
	runAll(t, []ruleTest{
		{"foreign folder", map[string]string{"tools/a.txt": "", "tools/b.txt": ""}, []string{"tools/a.txt:1: layout"}},
		{"foreign file", one("notes.md", ""), []string{"notes.md:1: layout"}},
		{"listed", map[string]string{"README.md": "", ".ci/run": "", "docs/layout.md": "", "proto/c/ndring.h": "", ".gitignore": "", "go.sum": "", "LICENSE": "", "Makefile": ""}, nil},
	})
}

// Check that untracked files at the top level, such as an editor's, are not
// part of the layout, while their content is checked.
func TestLayoutUntracked(t *testing.T) {
	fsys := fstest.MapFS{
		"go.mod":     {Data: []byte("module example.org/m\n")},
		"scratch.go": {Data: []byte("package scratch\n\nimport \"unsafe\"\n")},
	}
	tr, err := readTree(fsys, []string{"go.mod"}, []string{"scratch.go"})
	if err != nil {
		t.Fatal(err)
	}
	found := check(tr)
	if len(found) != 1 || found[0].rule != "unsafe" {
		t.Errorf("found %v, want the import of unsafe only", found)
	}
}

// Check that empty names are found as file, folder and package, under the
// suffixes that carry a meaning, and not inside other words.
func TestNames(t *testing.T) {
	runAll(t, []ruleTest{
		{"file", one("ring/utils.go", "package ring\n"), []string{"ring/utils.go:1: name"}},
		{"last word", one("ring/frame_types_linux_test.go", "package ring\n"), []string{"ring/frame_types_linux_test.go:1: name"}},
		{"python", one("proto/python/ndring/helpers.py", ""), []string{"proto/python/ndring/helpers.py:1: name"}},
		{"header", one("proto/c/common.h", ""), []string{"proto/c/common.h:1: name"}},
		{"folder", map[string]string{"ipc/misc/a.go": "package a\n", "ipc/misc/b.go": "package a\n"}, []string{"ipc/misc/a.go:1: name"}},
		{"package", one("ipc/x/a.go", "// A comment.\npackage util_test\n"), []string{"ipc/x/a.go:2: name"}},
		{"a word that starts alike", one("ring/constraint.go", "package ring\n"), nil},
		{"test of a role", one("ring/reader_test.go", "package ring\n"), nil},
		{"testdata", one("proto/testdata/types.py", ""), nil},
	})
}

// Check that 401 lines by hand are too long and 400 are not, and that tests and
// generated files may be longer.
func TestLength(t *testing.T) {
	lines := func(head string, n int) string {
		return head + strings.Repeat("\n", n-strings.Count(head, "\n"))
	}
	const generated = "// Code generated by a generator. DO NOT EDIT.\n\npackage ring\n"
	runAll(t, []ruleTest{
		{"401", one("ring/a.go", lines("package ring\n", 401)), []string{"ring/a.go:401: length"}},
		{"400", one("ring/a.go", lines("package ring\n", 400)), nil},
		{"test", one("ring/a_test.go", lines("package ring\n", 900)), nil},
		{"generated", one("ring/a.go", lines(generated, 900)), nil},
	})
}

// Check that words for work left undone are found in every language, as whole
// words only, and not in test data.
func TestWords(t *testing.T) {
	todo, xxx, fixme, hack := "TO"+"DO", "XX"+"X", "FIX"+"ME", "HA"+"CK"
	runAll(t, []ruleTest{
		{"go", one("ring/a.go", "package ring\n\n// "+todo+": later.\n"), []string{"ring/a.go:3: words"}},
		{"python", one("proto/python/a.py", "# "+fixme+"\n"), []string{"proto/python/a.py:1: words"}},
		{"prose", one("docs/a.md", "a\n\n"+hack+"\n"), []string{"docs/a.md:3: words"}},
		{"make", one("Makefile", "# "+xxx+"\n"), []string{"Makefile:1: words"}},
		{"template", one(".ci/run", "mktemp -d a."+xxx+xxx+"\n"), nil},
		{"lower case", one("docs/a.md", strings.ToLower(todo)+"\n"), nil},
		{"corpus", one("ring/testdata/fuzz/a", todo+"\n"), nil},
		{"binary", one("docs/a.png", "\x00 "+todo+"\n"), nil},
	})
}

// Check that init is found in libraries and commands, and that methods and
// tests may be called so.
func TestInit(t *testing.T) {
	runAll(t, []ruleTest{
		{"library", one("kernel/a.go", "package kernel\n\nfunc init() {}\n"), []string{"kernel/a.go:3: init"}},
		{"command", one("cmd/x/a.go", "package main\n\nfunc init() {}\n"), []string{"cmd/x/a.go:3: init"}},
		{"method", one("kernel/a.go", "package kernel\n\ntype k int\n\nfunc (k) init() {}\n"), nil},
		{"test", one("kernel/a_test.go", "package kernel\n\nfunc init() {}\n"), nil},
	})
}

// Check that package variables that a statement of the package changes, or
// that exist to be changed, are found, and that sentinels, tables and shadowing
// locals are not.
func TestGlobals(t *testing.T) {
	source := func(body string) map[string]string {
		return one("ipc/a.go", "package ipc\n\n"+body+"\n")
	}
	bad := func(name, body string) ruleTest {
		return ruleTest{name, source(body), []string{"ipc/a.go:3: globals"}}
	}
	good := func(name, body string) ruleTest { return ruleTest{name, source(body), nil} }
	runAll(t, []ruleTest{
		bad("assigned", "var n = 1\nfunc f() { n = 2 }"),
		bad("counted", "var n int\nfunc f() { n++ }"),
		bad("map filled", "var m = map[string]int{}\nfunc f() { m[\"a\"] = 1 }"),
		bad("map emptied", "var m = map[string]int{\"a\": 1}\nfunc f() { delete(m, \"a\") }"),
		bad("field set", "var s = struct{ n int }{1}\nfunc f() { s.n = 2 }"),
		bad("ranged into", "var n = 0\nfunc f() { for n = range 3 { } }"),
		bad("buffer", "var b [64]byte\nfunc f(g func([]byte)) { g(b[:]) }"),
		bad("address", "var n int\nfunc f() *int { return &n }"),
		bad("method", "var r reg\ntype reg struct{}\nfunc (*reg) add() {}\nfunc f() { r.add() }"),
		bad("lock", "var mu sync.Mutex\nfunc f() { mu.Lock() }"),
		bad("pool", "var p = sync.Pool{New: nil}"),
		good("sentinel", "var ErrGone = errors.New(\"gone\")"),
		good("interface check", "var _ error = (*T)(nil)\ntype T struct{ error }"),
		good("table", "var names = [...]string{\"a\"}\nfunc f(i int) string { n := &names[i]; return *n }"),
		good("zero array to assert with", "var zero [1]struct{}\nvar _ = zero[2-2]"),
		good("embedded", "//go:embed a.txt\nvar text string\nfunc f() []byte { return []byte(text[:]) }"),
		good("local of the same name", "var n = 1\nfunc f() { n := n; n++ }"),
		{"written in another file", map[string]string{
			"ipc/a.go": "package ipc\n\nvar n = 1\n",
			"ipc/b.go": "package ipc\n\nfunc f() { n = 2 }\n",
		}, []string{"ipc/a.go:3: globals"}},
		{"twins for two platforms", map[string]string{
			"ipc/a_amd64.go": "package ipc\n\nvar n = 1\n",
			"ipc/a_arm64.go": "package ipc\n\nvar n = 2\n\nfunc f() { n = 3 }\n",
		}, []string{"ipc/a_amd64.go:3: globals", "ipc/a_arm64.go:3: globals"}},
		{"command", one("cmd/x/a.go", "package main\n\nvar n int\n\nfunc f() { n++ }\n"), nil},
		{"test", one("ipc/a_test.go", "package ipc\n\nvar n int\n\nfunc f() { n++ }\n"), nil},
	})
}

// Check that assembly and declarations for it are left out with -tags noasm, on
// each architecture.
func TestAssembly(t *testing.T) {
	const text = "#include \"textflag.h\"\n\nTEXT ·wait(SB), NOSPLIT, $0\n\tRET\n"
	const decl = "package ring\n\nfunc wait()\n"
	runAll(t, []ruleTest{
		{"no constraint", one("ring/wait_amd64.s", text), []string{"ring/wait_amd64.s:1: assembly"}},
		{"constraint on something else", one("ring/wait_arm64.s", "//go:build linux\n\n"+text), []string{"ring/wait_arm64.s:1: assembly"}},
		{"constraint below code", one("ring/wait_amd64.s", text+"//go:build !noasm\n"), []string{"ring/wait_amd64.s:1: assembly"}},
		{"declaration", one("ring/wait_amd64.go", decl), []string{"ring/wait_amd64.go:3: assembly"}},
		{"one architecture of two", one("ring/wait.go", "//go:build !noasm || arm64\n\n"+decl), []string{"ring/wait.go:5: assembly"}},
		{"with twin", map[string]string{
			"ring/wait_amd64.s": "// A comment.\n\n//go:build !noasm\n\n" + text,
			"ring/wait_asm.go":  "//go:build (amd64 || arm64) && !noasm\n\n" + decl,
			"ring/wait_go.go":   "//go:build noasm || !(amd64 || arm64)\n\npackage ring\n\nfunc wait() {}\n",
		}, nil},
	})
}

// Check that homes and work folders are found as whole absolute paths, in test
// data too, and that the same letters elsewhere are not.
func TestPaths(t *testing.T) {
	work, home, root := "/wo"+"rk/", "/ho"+"me/", "/ro"+"ot/"
	runAll(t, []ruleTest{
		{"go", one("ring/a.go", "package ring\n\nconst dir = \""+work+"x\"\n"), []string{"ring/a.go:3: path"}},
		{"start of line", one("docs/a.md", home+"ann/x\n"), []string{"docs/a.md:1: path"}},
		{"vector", one("proto/testdata/a.txt", "# made in "+root+"x\n"), []string{"proto/testdata/a.txt:1: path"}},
		{"URL", one("docs/a.md", "https://example.org"+home+"ann/x\n"), nil},
		{"below a variable", one(".ci/run", "cd \"$TMP"+work+"x\" \"${TMP}"+work+"\"\n"), nil},
		{"shared memory", one("docs/a.md", "/dev/shm/ndring-1000, /proc/self/fd, /usr/bin\n"), nil},
	})
}

// Check that what a page links to, names or runs must be there: files, headings,
// folders, make targets, tests and benchmarks; and that prose, other places and
// placeholders pass.
func TestReferences(t *testing.T) {
	page := func(text string) map[string]string {
		return map[string]string{
			"docs/a.md": text + "\n", "docs/b.md": "# B\n\n## Limit and the rest: `x`\n", "Makefile": "all: need\n\ttrue\n",
			"ring/a.go": "package ring\n", "ring/in/a_test.go": "package in\n\nfunc TestLap(t *testing.T) {}\n\nfunc BenchmarkHop(b *testing.B) {}\n",
		}
	}
	bad := func(name, text string) ruleTest {
		return ruleTest{name, page(text), []string{"docs/a.md:1: reference"}}
	}
	good := func(name, text string) ruleTest { return ruleTest{name, page(text), nil} }
	runAll(t, []ruleTest{
		bad("link", "[x](c.md)"),
		bad("link upwards", "[x](../ring/b.go)"),
		bad("anchor", "[x](b.md#limit)"),
		bad("own anchor", "[x](#a)"),
		bad("file", "in `ring/b.go` is"),
		bad("folder", "in `kernel/x/` is"),
		bad("file in a block", "    cat docs/c.md"),
		bad("target", "`make some`"),
		bad("second target", "    make all some ARGS=1 # why"),
		bad("test", "`go test -run Laps ./ring/in`"),
		bad("test elsewhere", "`go test -run Lap ./ring`"),
		bad("benchmark", "    go test -run '^$' -bench 'Lap|Loop' ./ring/..."),
		good("links", "[x](b.md#limit-and-the-rest-x) [y](../ring) [z](https://example.org/c.md#d) [w](b.md)"),
		good("paths", "`ring/a.go`, `./ring/in`, `ring/`, `/proc/self/fd`, `x/ring/b.go`, `ring/*.go`, ring/b.go"),
		good("targets", "`make all`, make some, `make ARGS=x`"),
		good("code that looks like a link", "```go\nring.Values[T](frame)\n```"),
		good("make in a block", "    make all # or some"),
		good("tests", "`X=1 go test -count 1 -run 'Lap' ./ring/in` `go test -run xxx -bench Hop/n=5 ./ring/...`"),
	})
}

// Check that the path of the checkout itself is found wherever it lies.
func TestPathOfCheckout(t *testing.T) {
	tr := fakeTree(t, one("docs/a.md", "see /srv/build/ndring/docs\nand /srv/build/ndrings\n"))
	tr.root = "/srv/build/ndring"
	found := check(tr)
	if len(found) != 1 || found[0].line != 1 || found[0].rule != "path" {
		t.Errorf("found %v, want line 1 only", found)
	}
}

// Check that a file that does not parse is reported, and the rest is checked.
func TestParse(t *testing.T) {
	runAll(t, []ruleTest{{"broken", map[string]string{
		"ring/a.go":               "package ring\n\nfunc {\n",
		"ring/b.go":               "package ring\n\nimport \"unsafe\"\n",
		"proto/testdata/src/c.go": "not Go\n",
	}, []string{"ring/a.go:1: parse", "ring/b.go:3: unsafe"}}})
}

// Check that a tree without a module is refused rather than passed.
func TestNoModule(t *testing.T) {
	if _, err := readTree(fstest.MapFS{}, nil, nil); err == nil {
		t.Error("an empty tree was accepted")
	}
}

// Check the command over a real checkout: findings on standard output, exit
// code 1; ignored and deleted files left out; clean after mending.
func TestCheckout(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	git("init", "-q")
	write("go.mod", "module example.org/m\n")
	write(".gitignore", "ignored.go\n")
	write("ignored.go", "package m\n\nimport \"unsafe\"\n")
	write("gone.go", "package m\n\nimport \"unsafe\"\n")
	git("add", "go.mod", ".gitignore", "gone.go")
	if err := os.Remove(filepath.Join(dir, "gone.go")); err != nil {
		t.Fatal(err)
	}
	write("new.go", "package m\n\nimport \"unsafe\"\n")

	var stdout, stderr bytes.Buffer
	if code := run([]string{dir}, &stdout, &stderr); code != 1 {
		t.Errorf("exit code %d, want 1: %s", code, &stderr)
	}
	if got := stdout.String(); !strings.Contains(got, "new.go:3: unsafe: ") || strings.Contains(got, "ignored.go") {
		t.Errorf("printed %q", got)
	}
	git("rm", "-q", "--cached", "gone.go")
	write("new.go", "package m\n")
	stdout.Reset()
	if code := run([]string{dir}, &stdout, &stderr); code != 0 || stdout.Len() > 0 {
		t.Errorf("after mending: exit code %d, printed %q", code, &stdout)
	}
	if code := run([]string{filepath.Join(dir, "absent")}, &stdout, &stderr); code != 2 {
		t.Errorf("no checkout: exit code %d, want 2", code)
	}
}

// Check that each rule has a name of its own and a line of documentation.
func TestRuleNames(t *testing.T) {
	var names []string
	for _, r := range rules() {
		if r.doc == "" || slices.Contains(names, r.name) {
			t.Errorf("rule %q: no documentation, or a second of that name", r.name)
		}
		names = append(names, r.name)
	}
	var stdout bytes.Buffer
	if code := run([]string{"-list"}, &stdout, &stdout); code != 0 || strings.Count(stdout.String(), "\n") != len(names) {
		t.Errorf("-list: exit code %d, printed %q", code, &stdout)
	}
}
