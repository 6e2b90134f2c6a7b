package chaos

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Point is one crash point and where it stands in the source.
type Point struct{ Name, Place string }

var pointName = regexp.MustCompile(`^[a-z]+\.[a-z]+(-[a-z]+)*$`)

// Points reads the crash points from all source files below a folder, sorted by name. A name that is no literal, has
// another form than room.what-has-happened, or stands twice is an error: nobody could kill there, or nobody would know
// where.
func Points(root string) ([]Point, error) {
	var points []Point
	set := token.NewFileSet()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "bin", "test", "testdata"}, entry.Name()) && name != root:
			return fs.SkipDir
		case entry.IsDir(), !strings.HasSuffix(name, ".go"), strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		found, err := pointsOf(set, file)
		points = append(points, found...)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(points, func(a, b Point) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(points); i++ {
		if points[i].Name == points[i-1].Name {
			return nil, fmt.Errorf("crash point %s stands at %s and at %s", points[i].Name, points[i-1].Place, points[i].Place)
		}
	}
	return points, nil
}

func pointsOf(set *token.FileSet, file *ast.File) (points []Point, err error) {
	ast.Inspect(file, func(node ast.Node) bool {
		call, is := node.(*ast.CallExpr)
		if !is || len(call.Args) != 1 {
			return true
		}
		selector, is := call.Fun.(*ast.SelectorExpr)
		if !is || selector.Sel.Name != "Point" {
			return true
		}
		if from, is := selector.X.(*ast.Ident); !is || from.Name != "faults" {
			return true
		}
		place := set.Position(call.Pos()).String()
		literal, is := call.Args[0].(*ast.BasicLit)
		if !is {
			err = fmt.Errorf("%s: a crash point without a literal name", place)
			return true
		}
		name, _ := strconv.Unquote(literal.Value) // the parser accepted it; what is no string matches no name
		if !pointName.MatchString(name) {
			err = fmt.Errorf("%s: crash point %s is not named room.what-has-happened", place, literal.Value)
		}
		points = append(points, Point{name, place})
		return true
	})
	return points, err
}
