package grafana

// Dashboard is one dashboard in Grafana's JSON, as far as these dashboards use it.
type Dashboard struct {
	UID           string     `json:"uid"`
	Title         string     `json:"title"`
	Description   string     `json:"description"`
	Tags          []string   `json:"tags"`
	SchemaVersion int        `json:"schemaVersion"`
	Version       int        `json:"version"`
	Editable      bool       `json:"editable"`
	GraphTooltip  int        `json:"graphTooltip"` // 1: one crosshair for all panels
	Refresh       string     `json:"refresh"`
	Timezone      string     `json:"timezone"`
	Time          TimeRange  `json:"time"`
	Templating    Templating `json:"templating"`
	Links         []Link     `json:"links"`
	Panels        []Panel    `json:"panels"`
}

// Link is a row of links above the panels, to every dashboard with all its tags.
type Link struct {
	Type        string   `json:"type"` // dashboards: by tags
	Title       string   `json:"title"`
	Tags        []string `json:"tags"`
	IncludeVars bool     `json:"includeVars"` // the reader's choices go along
	KeepTime    bool     `json:"keepTime"`
}

// TimeRange is the time that a dashboard shows when it is opened.
type TimeRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Templating are the variables of a dashboard.
type Templating struct {
	List []Variable `json:"list"`
}

// Variable is a choice above the panels.
type Variable struct {
	Name       string      `json:"name"`
	Label      string      `json:"label"`
	Type       string      `json:"type"` // datasource or query
	Query      string      `json:"query"`
	Datasource *Datasource `json:"datasource,omitempty"`
	Refresh    int         `json:"refresh"` // 2: when the time range changes
	Multi      bool        `json:"multi"`
	IncludeAll bool        `json:"includeAll"`
	AllValue   string      `json:"allValue,omitempty"`
}

// Datasource is where a query goes.
type Datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// Panel is one picture.
type Panel struct {
	ID          int            `json:"id"`
	Type        string         `json:"type"` // timeseries or stat
	Title       string         `json:"title"`
	Description string         `json:"description"`
	Datasource  Datasource     `json:"datasource"`
	GridPos     GridPos        `json:"gridPos"`
	FieldConfig FieldConfig    `json:"fieldConfig"`
	Targets     []Target       `json:"targets"`
	Options     map[string]any `json:"options"`
}

// GridPos is the place of a panel; a row is 24 wide.
type GridPos struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

// FieldConfig says how values are shown.
type FieldConfig struct {
	Defaults Defaults `json:"defaults"`
}

// Defaults are the unit of all values of a panel, and the least value of its axis.
type Defaults struct {
	Unit string   `json:"unit"`
	Min  *float64 `json:"min,omitempty"`
}

// Target is one query of a panel.
type Target struct {
	RefID        string     `json:"refId"`
	Datasource   Datasource `json:"datasource"`
	Expr         string     `json:"expr"`
	LegendFormat string     `json:"legendFormat"`
	Range        bool       `json:"range"`
}
