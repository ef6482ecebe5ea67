//go:build linux

// Package lab is the crash laboratory itself: rooms, their casts, the harm done to
// them, and the report. See the command above it.
//
// One goroutine performs each actor: start a process in its part, carry out the plan
// of this life, kill it, wait for it, note the state it died in, hand its log to the
// judge, start the next. Another one for each room takes in the logs of those who
// live, and notices when nothing moves.
//
// A run ends in this order: no more harm; the writer is told to end the ring; it waits
// for every reader that has a place, and those who were killed last are started once
// more to come for theirs; who comes when the writer has left is removed. Then all logs
// are complete and are judged as a whole.
package lab
