// Package mutation breaks the source of this repository on purpose, to see whether the
// tests notice. Only tests import it, which houselint checks; it stands below them all
// and imports none of the packages that it changes.
//
// A list is a text file of blocks, parted by blank lines. Each changes one place:
//
//	name: inline commit without zeroing
//	file: claim.go
//	- storePlain(w.data.commitWord(end), 0)
//	+
//	test: NeverPoses
//
// Behind "-" stand the lines to take out, which must be found exactly once, indented
// alike or not, and behind "+" those to put in. What else a block says (which tests to
// run, which promise is broken) is for the suite that owns the list.
//
// # How it runs
//
//	source --Apply--> changed file --go … -overlay--> program --Run--> output, failed or not
//
// The go command reads the one file from elsewhere and everything else from where it is:
// nothing is copied, and two mutants can be built at a time. A list is applied in every
// run of the tests, so that it keeps fitting the source; its mutants are built and run
// when NDRING_MUTANTS is set, to 1 or to a part of the name of those to run.
//
// A mutant may hang, and with it processes that it started. It therefore runs in a process
// group of its own, which is killed whole when the time is up, when the tests end in
// whatever way, and also when the mutant has ended by itself. Folders in /dev/shm that
// carry its process id in their name (ndring-WHAT-PID-…) are removed after it.
//
// # Caveats
//
// A process that leaves the group is not found, and folders stay when the tests are killed
// meanwhile. Tests run in the folder of their package,
// as always; what they write there stays.
package mutation
