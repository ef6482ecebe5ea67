// Package tour is "ndring demo": every kind of process of a data path, started from
// this very program, watched while it runs, and judged at the end.
//
//	produce ──samples──► stage ──results──► consume --verify
//
//	TCP client ⇄ bridge ──chunks──► stage ──answers──► bridge
//
// The rings lie in a directory of their own beside the ordinary one. Whatever
// happens, the processes are ended and the directory is removed; only SIGKILL of
// the tour itself leaves the directory behind.
package tour
