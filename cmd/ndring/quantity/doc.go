// Package quantity reads and writes numbers as people put them on a command line:
// sizes in bytes, shapes, rates.
package quantity
