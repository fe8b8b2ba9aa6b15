// One page for "how are the exports doing?": Azure portal, Application Insights, Workbooks.

param location string
param tags object
param componentId string

var parts = [
  { title: 'Runs', query: loadTextContent('../queries/workbook/runs.kql'), show: 'table' }
  { title: 'Rows by outcome', query: loadTextContent('../queries/workbook/outcomes.kql'), show: 'barchart' }
  { title: 'What the service waits for', query: loadTextContent('../queries/workbook/waits.kql'), show: 'table' }
  { title: 'Calls of the functions', query: loadTextContent('../queries/workbook/functions.kql'), show: 'timechart' }
]

var period = {
  type: 9
  content: {
    version: 'KqlParameterItem/1.0'
    parameters: [
      {
        id: guid('period')
        version: 'KqlParameterItem/1.0'
        name: 'period'
        label: 'Period'
        type: 4
        isRequired: true
        value: { durationMs: 604800000 }
        typeSettings: {
          selectableValues: [{ durationMs: 86400000 }, { durationMs: 604800000 }, { durationMs: 2592000000 }]
        }
      }
    ]
  }
  name: 'period'
}

var queries = [
  for part in parts: {
    type: 3
    content: {
      version: 'KqlItem/1.0'
      title: part.title
      query: part.query
      size: 0
      timeContextFromParameter: 'period'
      queryType: 0
      resourceType: 'microsoft.insights/components'
      visualization: part.show
    }
    name: part.title
  }
]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'segment-exporter')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Segment exporter'
    category: 'workbook'
    sourceId: componentId
    serializedData: string({ version: 'Notebook/1.0', items: concat([period], queries) })
  }
}
