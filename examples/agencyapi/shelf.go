package agencyapi

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// record is one JSON object, with the platform's own spelling of names.
type record map[string]any

// shelf is an ordered list of records of one kind, told apart by their Id.
type shelf struct {
	name string // as the list is called in answers, for example "Notes"
	noun string // for messages, for example "note"
	made string // how ids of new records begin, for example "note_"
	rows []record
	next int
}

func newShelf(name, noun, made string, rows ...record) *shelf {
	return &shelf{name: name, noun: noun, made: made, rows: rows, next: 1001}
}

func (s *shelf) find(id string) (int, error) {
	for i, row := range s.rows {
		if row["Id"] == id {
			return i, nil
		}
	}
	return 0, refuse(http.StatusNotFound, "There is no %s %q.", s.noun, id)
}

func (s *shelf) add(row record) record {
	id := s.made + strconv.Itoa(s.next)
	s.next++
	row["Id"] = id
	s.rows = append(s.rows, row)
	return row
}

// pick says which shelf of the caller's an operation works on.
type pick func(*call) *shelf

// list answers all records whose fields equal the query parameters of the same name, in pages.
func list(of pick, filters ...string) func(*call) (answer, error) {
	return func(c *call) (answer, error) {
		s := of(c)
		kept := []record{}
		for _, row := range s.rows {
			if matches(row, c, filters) {
				kept = append(kept, row)
			}
		}
		page, size, err := paging(c)
		if err != nil {
			return answer{}, err
		}
		from := min((page-1)*size, len(kept))
		to := min(from+size, len(kept))
		return answer{Status: http.StatusOK, Body: record{
			s.name: kept[from:to],
			"Page": record{"Number": page, "Size": size, "Total": len(kept)},
		}}, nil
	}
}

func matches(row record, c *call, filters []string) bool {
	for _, f := range filters {
		if want := c.query.Get(f); want != "" && !strings.EqualFold(fmt.Sprint(row[f]), want) {
			return false
		}
	}
	return true
}

// paging reads Page (from 1) and PageSize (1 to 1,000; 100 when absent).
func paging(c *call) (page, size int, err error) {
	page, size = 1, 100
	for name, into := range map[string]*int{"Page": &page, "PageSize": &size} {
		given := c.query.Get(name)
		if given == "" {
			continue
		}
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 || n > 1000 {
			return 0, 0, refuse(http.StatusBadRequest, "%s must be a whole number from 1 to 1000.", name)
		}
		*into = n
	}
	return page, size, nil
}

// get answers one record.
func get(of pick, param string) func(*call) (answer, error) {
	return func(c *call) (answer, error) {
		s := of(c)
		i, err := s.find(c.params[param])
		if err != nil {
			return answer{}, err
		}
		return answer{Status: http.StatusOK, Body: s.rows[i]}, nil
	}
}

// create adds what the body says, once the required fields are there.
func create(of pick, required ...string) func(*call) (answer, error) {
	return func(c *call) (answer, error) {
		if err := require(c, required); err != nil {
			return answer{}, err
		}
		row := maps.Clone(c.body)
		row["CreatedAt"] = stamp(c.now)
		row = of(c).add(row)
		return answer{Status: http.StatusCreated, Body: row, Location: fmt.Sprint(row["Id"])}, nil
	}
}

func require(c *call, names []string) error {
	for _, name := range names {
		if v, ok := c.body[name]; !ok || v == "" {
			return refuse(http.StatusUnprocessableEntity, "%s is required.", name)
		}
	}
	if c.body == nil {
		return refuse(http.StatusBadRequest, "Send a JSON object.")
	}
	return nil
}

// update lays the body's fields over the record. The Id stays.
func update(of pick, param string) func(*call) (answer, error) {
	return func(c *call) (answer, error) {
		s := of(c)
		i, err := s.find(c.params[param])
		if err != nil {
			return answer{}, err
		}
		if err := require(c, nil); err != nil {
			return answer{}, err
		}
		s.rows[i] = overlay(s.rows[i], c.body)
		return answer{Status: http.StatusOK, Body: s.rows[i]}, nil
	}
}

func overlay(row, changes record) record {
	out := maps.Clone(row)
	for k, v := range changes {
		if k != "Id" {
			out[k] = v
		}
	}
	return out
}

// mark sets one field of a record to a value, for operations that are verbs.
func mark(of pick, param, field, value string) func(*call) (answer, error) {
	return func(c *call) (answer, error) {
		s := of(c)
		i, err := s.find(c.params[param])
		if err != nil {
			return answer{}, err
		}
		s.rows[i] = overlay(s.rows[i], record{field: value})
		return answer{Status: http.StatusOK, Body: s.rows[i]}, nil
	}
}

// remove takes a record off its shelf.
func remove(of pick, param string) func(*call) (answer, error) {
	return func(c *call) (answer, error) {
		s := of(c)
		i, err := s.find(c.params[param])
		if err != nil {
			return answer{}, err
		}
		s.rows = append(s.rows[:i:i], s.rows[i+1:]...)
		return answer{Status: http.StatusOK, Body: record{"Deleted": c.params[param]}}, nil
	}
}

// one and revise are get and update for what there is only one of.
func one(of func(*call) *record) func(*call) (answer, error) {
	return func(c *call) (answer, error) {
		return answer{Status: http.StatusOK, Body: *of(c)}, nil
	}
}

func revise(of func(*call) *record) func(*call) (answer, error) {
	return func(c *call) (answer, error) {
		if err := require(c, nil); err != nil {
			return answer{}, err
		}
		*of(c) = overlay(*of(c), c.body)
		return answer{Status: http.StatusOK, Body: *of(c)}, nil
	}
}

// export makes a job that is done at once and whose result can be downloaded.
func export(jobs pick, what func(*call) (string, error)) func(*call) (answer, error) {
	return func(c *call) (answer, error) {
		subject, err := what(c)
		if err != nil {
			return answer{}, err
		}
		row := jobs(c).add(record{
			"Type": "EXPORT", "Subject": subject, "Status": "COMPLETED", "CreatedAt": stamp(c.now), "Rows": 3,
		})
		return answer{Status: http.StatusAccepted, Body: row}, nil
	}
}

// download answers the result of a finished job as CSV.
func download(jobs pick) func(*call) (answer, error) {
	return func(c *call) (answer, error) {
		s := jobs(c)
		i, err := s.find(c.params["JobId"])
		if err != nil {
			return answer{}, err
		}
		if s.rows[i]["Status"] != "COMPLETED" {
			return answer{}, refuse(http.StatusConflict, "The job is %v. Ask again when it is COMPLETED.", s.rows[i]["Status"])
		}
		return answer{Status: http.StatusOK, File: "Day,Clicks,Actions,Revenue\n" + csvRows(c)}, nil
	}
}
